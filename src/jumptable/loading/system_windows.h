/* LoadLibraryExW and PE images in memory: Windows.
 *
 * Built to the contract in system.h, and untested on Windows itself.
 *
 * A DLL exports names and addresses, and says nothing of what is there. Whether the page of an
 * address may be executed tells functions from variables; the size of a variable is unknown, and a
 * thread-local one cannot be exported. GetProcAddress only finds the library's own names, but one
 * of them may forward to another library: then the address lies there.
 *
 * Specification: PE Format, "The .edata Section".
 */
#ifndef JUMPTABLE_SYSTEM_WINDOWS_H
#define JUMPTABLE_SYSTEM_WINDOWS_H

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>

#define JT_LONGEST_PATH 32768
#define JT_TELLS_SIZES 0

typedef struct {
    void *handle;     /* an HMODULE, which is the address of the image */
    const char *path; /* in Python's encoding of file names */
    size_t size;      /* of the image, in bytes */
    const IMAGE_EXPORT_DIRECTORY *exports;
    size_t exports_start, exports_end;
} jt_image;

/* Part of the image, by its offset from the start; NULL unless all of it lies inside. */
static const void *jt_part(const jt_image *image, size_t offset, size_t count, size_t item) {
    if (offset == 0 || offset > image->size || count > (image->size - offset) / item)
        return NULL;
    return (const char *)image->handle + offset;
}

/* The file of a module as a new bytes object, or NULL without an exception. */
static PyObject *jt_module_path(HMODULE module) {
    PyObject *path = NULL, *encoded = NULL;
    wchar_t *wide = PyMem_New(wchar_t, JT_LONGEST_PATH);
    DWORD length = wide != NULL ? GetModuleFileNameW(module, wide, JT_LONGEST_PATH) : 0;
    if (length > 0 && length < JT_LONGEST_PATH)
        path = PyUnicode_FromWideChar(wide, (Py_ssize_t)length);
    if (path != NULL)
        encoded = PyUnicode_EncodeFSDefault(path);
    PyErr_Clear();
    Py_XDECREF(path);
    PyMem_Free(wide);
    return encoded;
}

/* 0, or -1 if the image is not what it should be: no name will be listed. */
static int jt_image_init(jt_image *image, void *handle) {
    const char *start = handle;
    memset(image, 0, sizeof(*image));
    image->handle = handle;
    PyObject *path = jt_module_path((HMODULE)handle);
    if (path != NULL) {
        size_t bytes = (size_t)PyBytes_GET_SIZE(path) + 1;
        char *copy = PyMem_RawMalloc(bytes); /* never freed, as the library is never closed */
        if (copy != NULL)
            memcpy(copy, PyBytes_AS_STRING(path), bytes);
        image->path = copy;
        Py_DECREF(path);
    }
    const IMAGE_DOS_HEADER *dos = (const IMAGE_DOS_HEADER *)start;
    if (dos->e_magic != IMAGE_DOS_SIGNATURE)
        return -1;
    const IMAGE_NT_HEADERS *headers = (const IMAGE_NT_HEADERS *)(start + dos->e_lfanew);
    if (headers->Signature != IMAGE_NT_SIGNATURE ||
        headers->OptionalHeader.Magic != IMAGE_NT_OPTIONAL_HDR_MAGIC)
        return -1;
    image->size = headers->OptionalHeader.SizeOfImage;
    if (headers->OptionalHeader.NumberOfRvaAndSizes <= IMAGE_DIRECTORY_ENTRY_EXPORT)
        return 0;
    const IMAGE_DATA_DIRECTORY *entry =
        &headers->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_EXPORT];
    if (entry->Size < sizeof(IMAGE_EXPORT_DIRECTORY))
        return 0;
    image->exports = jt_part(image, entry->VirtualAddress, entry->Size, 1);
    image->exports_start = entry->VirtualAddress;
    image->exports_end = image->exports_start + entry->Size;
    return 0;
}

/* "[WinError 126] The specified module could not be found": the number is the same in every
 * language, and the text is in the user's. */
static PyObject *jt_error_text(DWORD number) {
    wchar_t text[512];
    DWORD flags = FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS |
                  FORMAT_MESSAGE_MAX_WIDTH_MASK;
    DWORD length =
        FormatMessageW(flags, NULL, number, 0, text, sizeof(text) / sizeof(text[0]), NULL);
    while (length > 0 && (text[length - 1] <= L' ' || text[length - 1] == L'.'))
        length--;
    PyObject *reason = PyUnicode_FromWideChar(text, (Py_ssize_t)length);
    if (reason == NULL)
        return NULL;
    PyObject *message = PyUnicode_FromFormat("[WinError %lu] %U", (unsigned long)number, reason);
    Py_DECREF(reason);
    return message;
}

/* The path as LoadLibraryExW takes it, to be freed with PyMem_Free. It wants backslashes, and adds
 * ".dll" to a file's name without a dot unless the name ends in one. */
static wchar_t *jt_wide_path(PyObject *path) {
    wchar_t *wide = PyUnicode_AsWideCharString(path, NULL); /* refuses an embedded NUL */
    if (wide == NULL)
        return NULL;
    for (wchar_t *here = wide; *here != L'\0'; here++)
        if (*here == L'/')
            *here = L'\\';
    const wchar_t *separator = wcsrchr(wide, L'\\');
    if (separator == NULL || wcschr(separator, L'.') != NULL)
        return wide;
    size_t length = wcslen(wide);
    wchar_t *dotted = PyMem_Realloc(wide, (length + 2) * sizeof(wchar_t));
    if (dotted == NULL) {
        PyMem_Free(wide);
        PyErr_NoMemory();
        return NULL;
    }
    dotted[length] = L'.';
    dotted[length + 1] = L'\0';
    return dotted;
}

/* A bare name is looked for in the program's own folder, the system's, and those of
 * os.add_dll_directory, as ctypes does; not in the current directory or PATH, where anybody could
 * put one. A library given by its path may bring its dependencies along in its folder. */
static int jt_load(PyObject *path, int release_gil, PyObject *refusal, void **handle) {
    wchar_t *wide = jt_wide_path(path);
    PyThreadState *state = NULL;
    DWORD flags = LOAD_LIBRARY_SEARCH_DEFAULT_DIRS, mode = 0, number = 0;
    if (wide == NULL)
        return -1;
    if (wcschr(wide, L'\\') != NULL)
        flags |= LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR;
    if (release_gil)
        state = PyEval_SaveThread();
    /* Failures are reported here, and not in a window that waits for somebody to close it. */
    BOOL quiet = SetThreadErrorMode(SEM_FAILCRITICALERRORS | SEM_NOOPENFILEERRORBOX, &mode);
    *handle = (void *)LoadLibraryExW(wide, NULL, flags);
    if (*handle == NULL)
        number = GetLastError();
    if (quiet)
        SetThreadErrorMode(mode, NULL);
    if (release_gil)
        PyEval_RestoreThread(state);
    if (*handle == NULL)
        jt_refuse(refusal, jt_error_text(number));
    PyMem_Free(wide);
    return PyErr_Occurred() ? -1 : 0;
}

static void *jt_loaded(PyObject *name) {
    wchar_t *wide = jt_wide_path(name);
    HMODULE handle = wide != NULL ? GetModuleHandleW(wide) : NULL;
    PyMem_Free(wide);
    PyErr_Clear();
    return (void *)handle;
}

static uintptr_t jt_base(const jt_image *image) {
    return (uintptr_t)image->handle;
}

/* The folders of os.add_dll_directory cannot be asked for. */
static PyObject *jt_search(void) {
    return PyList_New(0);
}

static int jt_page_allows(DWORD protection, DWORD wanted) {
    return (protection & wanted) != 0;
}

static int jt_is_executable(DWORD protection) {
    return jt_page_allows(protection, PAGE_EXECUTE | PAGE_EXECUTE_READ | PAGE_EXECUTE_READWRITE |
                                          PAGE_EXECUTE_WRITECOPY);
}

static int jt_is_code(const jt_image *image, const void *address) {
    MEMORY_BASIC_INFORMATION page;
    return VirtualQuery(address, &page, sizeof(page)) != 0 && page.State == MEM_COMMIT &&
           page.AllocationBase == image->handle && jt_is_executable(page.Protect);
}

static void jt_find(const jt_image *image, const char *name, jt_found *found) {
    HMODULE owner = NULL;
    MEMORY_BASIC_INFORMATION page;
    memset(found, 0, sizeof(*found));
    FARPROC address = GetProcAddress((HMODULE)image->handle, name);
    if (address == NULL)
        return;
    found->address = (void *)(uintptr_t)address;
    DWORD flags =
        GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    BOOL known = GetModuleHandleExW(flags, (const wchar_t *)found->address, &owner);
    if (!known || (void *)owner != image->handle) {
        PyObject *path = known ? jt_module_path(owner) : NULL;
        found->what = JT_FOREIGN;
        /* Half a path would be wrong, and perhaps half a character. */
        if (path != NULL && (size_t)PyBytes_GET_SIZE(path) < sizeof(found->owner))
            memcpy(found->owner, PyBytes_AS_STRING(path), (size_t)PyBytes_GET_SIZE(path));
        Py_XDECREF(path);
        return;
    }
    if (VirtualQuery(found->address, &page, sizeof(page)) == 0)
        page.Protect = PAGE_NOACCESS;
    found->what = jt_is_executable(page.Protect) ? JT_FUNCTION : JT_DATA;
    found->writable = jt_page_allows(page.Protect, PAGE_READWRITE | PAGE_WRITECOPY |
                                                       PAGE_EXECUTE_READWRITE |
                                                       PAGE_EXECUTE_WRITECOPY);
}

/* Calls visit for each exported name until it returns something other than 0; returns that.
 * A name whose address lies in the export directory forwards to another library. */
static int jt_each_name(const jt_image *image, int (*visit)(const char *, void *), void *context) {
    const IMAGE_EXPORT_DIRECTORY *exports = image->exports;
    if (exports == NULL)
        return 0;
    DWORD count = exports->NumberOfNames, functions = exports->NumberOfFunctions;
    const DWORD *names = jt_part(image, exports->AddressOfNames, count, sizeof(DWORD));
    const WORD *ordinals = jt_part(image, exports->AddressOfNameOrdinals, count, sizeof(WORD));
    const DWORD *addresses =
        jt_part(image, exports->AddressOfFunctions, functions, sizeof(DWORD));
    if (names == NULL || ordinals == NULL || addresses == NULL)
        return 0;
    for (DWORD k = 0; k < count; k++) {
        const char *name = jt_part(image, names[k], 1, 1);
        if (name == NULL || memchr(name, 0, image->size - names[k]) == NULL ||
            ordinals[k] >= functions)
            continue;
        DWORD address = addresses[ordinals[k]];
        if (address == 0 || (address >= image->exports_start && address < image->exports_end))
            continue;
        int status = visit(name, context);
        if (status != 0)
            return status;
    }
    return 0;
}

#endif
