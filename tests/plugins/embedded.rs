// The notes of jumptable/plugin.h, written by hand.
#[repr(C)]
pub struct Note<const N: usize> {
    owner_size: u32,
    body_size: u32,
    kind: u32,
    owner: [u8; 12],
    abi: u32,
    texts: [u8; N],
}

const fn note<const N: usize>(kind: u32, texts: [u8; N]) -> Note<N> {
    Note {
        owner_size: 10,
        body_size: 4 + N as u32,
        kind,
        owner: *b"jumptable\0\0\0",
        abi: 1,
        texts,
    }
}

#[used]
#[link_section = ".note.jumptable"]
static PLUGIN: Note<12> = note(1, *b"rusty\x003.1\0\0\0");

#[used]
#[link_section = ".note.jumptable"]
static APPLY: Note<24> = note(2, *b"apply\0double(double)\0\0\0\0");

#[no_mangle]
pub extern "C" fn apply(x: f64) -> f64 {
    2.0 * x
}

// Under another name, by an entry.
extern "C" fn triple(x: i32) -> i32 {
    3 * x
}

#[repr(C)]
pub struct Entry(extern "C" fn(i32) -> i32, &'static Note<28>);

#[link_section = ".note.jumptable"]
static TIMES: Note<28> = note(2, *b"times\0int32_t(int32_t)\0\0\0\0\0\0");

#[no_mangle]
#[allow(non_upper_case_globals)]
pub static jumptable_entry_times: Entry = Entry(triple, &TIMES);

// For the debug information.
#[no_mangle]
pub extern "C" fn sum(items: *const f64, count: usize, flag: bool) -> f64 {
    if flag {
        (0..count).map(|k| unsafe { *items.add(k) }).sum()
    } else {
        0.0
    }
}
