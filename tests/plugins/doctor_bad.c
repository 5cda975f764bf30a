/* Libraries whose constructors do what they should leave to the host: one each, by -D.
   CLEAN does nothing; what it has is what any of them has. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int answers = 42;

int answer(void) { return answers; }

#ifdef THREAD
static void *wait_for_ever(void *nothing) {
    for (;;) pause();
    return nothing;
}
#endif

#ifdef SIGNAL
static void handle(int number) { (void)number; }
#endif

#if defined CONNECTION || defined LISTENER
/* A listening socket on a free port of this machine; its address is written to *address. */
static int listener(struct sockaddr_in *address) {
    socklen_t size = sizeof *address;
    int made = socket(AF_INET, SOCK_STREAM, 0);
    memset(address, 0, sizeof *address);
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(made, (struct sockaddr *)address, size) || listen(made, 1)
        || getsockname(made, (struct sockaddr *)address, &size)) abort();
    return made;
}
#endif

__attribute__((constructor)) static void begin(void) {
#if defined THREAD
    pthread_t thread;
    pthread_create(&thread, NULL, wait_for_ever, NULL);
#elif defined LISTENER
    struct sockaddr_in address;
    listener(&address);
#elif defined CONNECTION
    struct sockaddr_in address;
    int server = listener(&address), client = socket(AF_INET, SOCK_STREAM, 0);
    if (server < 0 || connect(client, (struct sockaddr *)&address, sizeof address)) abort();
#elif defined CHILD
    if (fork() == 0) {
        execlp("sleep", "sleep", "1000", (char *)NULL);
        _exit(1);
    }
#elif defined ENDED_CHILD
    pid_t child = fork();
    if (child == 0) {
        execlp("true", "true", (char *)NULL);
        _exit(1);
    }
    waitpid(child, NULL, 0);
#elif defined READING
    static char buffer[1 << 16];
    int file = open("/dev/zero", O_RDONLY);
    for (int i = 0; i < 64; i++)
        if (read(file, buffer, sizeof buffer) < 0) abort();
    close(file);
#elif defined DESCRIPTOR
    if (open("/dev/zero", O_RDONLY) < 0) abort();
#elif defined SIGNAL
    signal(SIGUSR2, handle);
#elif defined DIRECTORY
    if (chdir("/")) abort();
#elif defined ENVIRONMENT
    setenv("DOCTOR_BAD", "secret", 1);
#elif defined LOCALE
    if (!setlocale(LC_ALL, "C.UTF-8")) abort();
#elif defined MEMORY
    size_t size = (size_t)128 << 20;
    char *table = malloc(size);
    for (size_t i = 0; i < size; i += 512) table[i] = (char)i;
    answers = table[size / 2];
#elif defined OUTPUT
    printf("loaded\n"); /* stays in a buffer, unless somebody looks */
#elif defined SLOW
    struct timespec wait = {0, 150000000};
    nanosleep(&wait, NULL);
#elif defined HANGS
    for (;;) pause();
#elif defined ABORTS
    abort();
#elif defined EXITS
    exit(0);
#endif
}
