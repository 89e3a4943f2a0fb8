//! The memory of one call.
//!
//! A plugin's instance lives for one call, so most of what it takes need never be given back: pieces are cut from an
//! array, one behind the other, and only the last can grow, shrink or go. What the array has no room for comes from the
//! standard allocator, which gives memory back as usual. So a small call neither searches for free memory nor asks the
//! host for more; that would change the host's own address space, for which all its threads wait.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;

/// Enough for the transform of some kilobytes. The host clears it after each call: a few microseconds.
const SIZE: usize = 64 << 10;

#[repr(align(16))]
struct Arena {
    memory: UnsafeCell<[u8; SIZE]>,
    used: UnsafeCell<usize>,
}

// SAFETY: a component has one thread.
unsafe impl Sync for Arena {}

#[global_allocator]
static ARENA: Arena = Arena { memory: UnsafeCell::new([0; SIZE]), used: UnsafeCell::new(0) };

impl Arena {
    /// Where in the array a piece begins; none if it came from elsewhere.
    fn offset(&self, piece: *mut u8) -> Option<usize> {
        (piece as usize).checked_sub(self.memory.get() as usize).filter(|offset| *offset < SIZE)
    }
}

// SAFETY: pieces of the array do not overlap, since `used` only passes over what was never handed out, or goes back to
// the start of the last piece. All else is the standard allocator's.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe {
            let start = (*self.used.get()).next_multiple_of(layout.align().min(SIZE));
            if layout.align() > 16 || layout.size() > SIZE || start > SIZE - layout.size() {
                return System.alloc(layout);
            }
            *self.used.get() = start + layout.size();
            self.memory.get().cast::<u8>().add(start)
        }
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        unsafe {
            match self.offset(piece) {
                None => System.dealloc(piece, layout),
                Some(start) if start + layout.size() == *self.used.get() => *self.used.get() = start,
                Some(_) => {}
            }
        }
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        unsafe {
            match self.offset(piece) {
                None => return System.realloc(piece, layout, size),
                Some(start) if start + layout.size() == *self.used.get() && size <= SIZE - start => {
                    *self.used.get() = start + size;
                    return piece;
                }
                Some(_) => {}
            }
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(piece, layout.size().min(size));
            }
            moved
        }
    }
}
