//! The allocator: an arena that lasts for one call.
//!
//! A plugin's instance lives for one call, so most allocations never need to be freed: blocks are cut from an array,
//! one after the other, and only the last block can grow, shrink or be freed. Allocations that do not fit into the
//! array go to the standard allocator, which frees memory as usual. A small call therefore neither searches for free
//! memory nor asks the host for more; growing memory changes the host's address space, which blocks all of the host's
//! threads.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;

/// Large enough to transform a few kilobytes. The host clears it after each call, which takes a few microseconds.
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
    /// The offset of a block in the array; `None` if the standard allocator allocated it.
    fn offset(&self, block: *mut u8) -> Option<usize> {
        (block as usize).checked_sub(self.memory.get() as usize).filter(|offset| *offset < SIZE)
    }
}

// SAFETY: blocks of the array do not overlap: `used` only advances over memory that is not allocated, or goes back to
// the start of the last block. Everything else is delegated to the standard allocator.
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

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        unsafe {
            match self.offset(block) {
                None => System.dealloc(block, layout),
                Some(start) if start + layout.size() == *self.used.get() => *self.used.get() = start,
                Some(_) => {}
            }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        unsafe {
            match self.offset(block) {
                None => return System.realloc(block, layout, size),
                Some(start) if start + layout.size() == *self.used.get() && size <= SIZE - start => {
                    *self.used.get() = start + size;
                    return block;
                }
                Some(_) => {}
            }
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(block, layout.size().min(size));
            }
            moved
        }
    }
}
