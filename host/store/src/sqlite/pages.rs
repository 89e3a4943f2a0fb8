//! Overwriting what deleted rows left in the pages of the file.
//!
//! SQLite overwrites what it deletes (`secure_delete`). But when it distributes the cells of a B-tree page over its neighbors,
//! the unused part of the page keeps copies of those that it gave away; and pages that were freed without `secure_delete`, as
//! by a migration, keep everything. Neither is read again, and both are found here: of a B-tree page, whatever is neither
//! header nor cell; of a free page, all of it.
//!
//! The format is documented at <https://www.sqlite.org/fileformat2.html>, sections 1.5 and 1.6.

use std::collections::HashMap;
use std::ops::Range;

use rusqlite::{Connection, OptionalExtension as _};

use super::super::StoreError;

/// One page, as it is after all commits that the connection sees.
const READ: &str = "SELECT data FROM sqlite_dbpage WHERE pgno = ?1";

/// Goes through the log, as any change.
const WRITE: &str = "UPDATE sqlite_dbpage SET data = ?2 WHERE pgno = ?1";

/// In a smaller file, an overflow page or a page of the list of free pages begins with 0 or 1, the highest byte of a page's
/// number, and no B-tree page does: 128 GiB with pages of 4 KiB.
const PAGES_MAX: u32 = 1 << 25;

/// Bytes of the file's header, on its first page.
const HEADER: usize = 100;

/// The pages of a range that have remains, and where the next range begins.
pub(super) struct Remains {
    pub(super) pages: Vec<u32>,
    /// None at the end of the file.
    pub(super) next: Option<u32>,
}

/// Looks for remains in so many pages from one on.
pub(super) fn find(db: &Connection, from: u32, count: u32) -> Result<Remains, StoreError> {
    let all = pages(db)?;
    let end = from.saturating_add(count).min(all + 1);
    let free = free(db, from..end)?;
    let mut pages = Vec::new();
    for page in from..end {
        if let Some(mut data) = read(db, page)?
            && wipe_page(&mut data, page, &free)
        {
            pages.push(page);
        }
    }
    Ok(Remains { pages, next: (end <= all).then_some(end) })
}

/// Overwrites the remains in these pages, which are in order, if they still have any.
pub(super) fn wipe(db: &Connection, pages: &[u32]) -> Result<(), StoreError> {
    let (Some(first), Some(last)) = (pages.first(), pages.last()) else { return Ok(()) };
    let free = free(db, *first..last + 1)?;
    for page in pages {
        if let Some(mut data) = read(db, *page)?
            && wipe_page(&mut data, *page, &free)
        {
            db.prepare_cached(WRITE)?.execute((page, data))?;
        }
    }
    Ok(())
}

/// Overwrites what is not in use of a page. True if there was any.
fn wipe_page(data: &mut [u8], page: u32, free: &HashMap<u32, usize>) -> bool {
    match free.get(&page) {
        Some(unused) => zero(data, *unused, data.len()),
        None => wipe_tree(data, page),
    }
}

fn pages(db: &Connection) -> Result<u32, StoreError> {
    let pages: u32 = db.pragma_query_value(None, "page_count", |row| row.get(0))?;
    if pages >= PAGES_MAX {
        return Err(StoreError::Corrupt(format!("the file has {pages} pages, and at most {PAGES_MAX} can be cleaned")));
    }
    Ok(pages)
}

fn read(db: &Connection, page: u32) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(db.prepare_cached(READ)?.query_row([page], |row| row.get(0)).optional()?)
}

/// Returns the free pages of a range, each with the place from which on nothing is in use: those that hold the list of them
/// are in use up to its end.
fn free(db: &Connection, wanted: Range<u32>) -> Result<HashMap<u32, usize>, StoreError> {
    let limit = pages(db)?;
    let mut free = HashMap::new();
    let mut trunk = read(db, 1)?.map_or(0, |page| number(&page, 32));
    // A list that is longer than the file has a circle.
    for _ in 0..limit {
        let Some(page) = (trunk != 0).then(|| read(db, trunk)).transpose()?.flatten() else { break };
        let leaves = (number(&page, 4) as usize).min(page.len() / 4 - 2);
        let pages = (0..leaves).map(|leaf| (number(&page, 8 + 4 * leaf), 0)).chain([(trunk, 8 + 4 * leaves)]);
        free.extend(pages.filter(|(page, _)| wanted.contains(page)));
        trunk = number(&page, 0);
    }
    Ok(free)
}

fn number(page: &[u8], at: usize) -> u32 {
    page.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes)
}

fn short(page: &[u8], at: usize) -> usize {
    page.get(at..at + 2).and_then(|bytes| bytes.try_into().ok()).map_or(0, |bytes| u16::from_be_bytes(bytes).into())
}

/// Overwrites what is neither header nor cell of a B-tree page. True if there was any; a page of another kind has none.
fn wipe_tree(page: &mut [u8], number: u32) -> bool {
    let header = if number == 1 { HEADER } else { 0 };
    let pointers = match page.get(header) {
        Some(0x02 | 0x05) => header + 12,
        Some(0x0a | 0x0d) => header + 8,
        _ => return false,
    };
    let begin = pointers + 2 * short(page, header + 3);
    let content = match short(page, header + 5) {
        0 => 65_536,
        content => content,
    };
    if begin > content || content > page.len() {
        return false;
    }
    let mut found = zero(page, begin, content);
    let mut block = short(page, header + 1);
    // Blocks are in order, each with the place of the next and its own size.
    while block >= content && block + 4 <= page.len() {
        let (next, size) = (short(page, block), short(page, block + 2));
        if size < 4 || block + size > page.len() {
            break;
        }
        found |= zero(page, block + 4, block + size);
        if next <= block {
            break;
        }
        block = next;
    }
    found
}

/// Overwrites a range; true if that changed it.
fn zero(page: &mut [u8], from: usize, to: usize) -> bool {
    let Some(range) = page.get_mut(from..to) else { return false };
    let found = range.iter().any(|byte| *byte != 0);
    if found {
        range.fill(0);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of different sizes in random places, so that pages give cells away and are built anew.
    #[test]
    fn what_pages_gave_away_is_found_and_overwritten_and_nothing_else_changes() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("test.db");
        let db = Connection::open(&file).expect("a database");
        db.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA secure_delete = ON;
             CREATE TABLE t (key INTEGER PRIMARY KEY, text TEXT);
             CREATE INDEX i ON t (text);",
        )
        .expect("a table");
        let mut random = 1_u64;
        for _ in 0..2_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let key = i64::from((random >> 33) as u32) % 100_000;
            let length = usize::try_from(random >> 32).expect("32 bits") % 400;
            let text = format!("{} {key:05} {}", if key % 10 == 0 { "REMAINS" } else { "other" }, "x".repeat(length));
            db.execute("INSERT INTO t VALUES (?1, ?2) ON CONFLICT DO NOTHING", (key, text)).expect("a row");
        }
        db.execute("DELETE FROM t WHERE text LIKE 'REMAINS%'", []).expect("deleting");
        let sum = |db: &Connection| -> (i64, String) {
            db.query_row("SELECT count(*), group_concat(text ORDER BY key) FROM t", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .expect("reading")
        };
        let before = sum(&db);
        let marked = || {
            db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("a checkpoint");
            let bytes = std::fs::read(&file).expect("the file");
            bytes.windows(7).filter(|window| *window == b"REMAINS").count()
        };
        assert!(marked() > 0, "nothing to find: has SQLite changed?");
        let mut from = Some(1);
        while let Some(page) = from {
            let remains = find(&db, page, 16).expect("reading pages");
            wipe(&db, &remains.pages).expect("writing pages");
            from = remains.next;
        }
        assert_eq!(marked(), 0);
        assert_eq!(sum(&db), before);
        let check: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
        assert_eq!(check, "ok");
    }

    #[test]
    fn free_pages_are_overwritten() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("test.db");
        let db = Connection::open(&file).expect("a database");
        db.execute_batch("CREATE TABLE t (text TEXT); CREATE TABLE u (n INTEGER);").expect("tables");
        for _ in 0..100 {
            db.execute("INSERT INTO t VALUES (?1)", ["REMAINS ".repeat(2_000)]).expect("a row");
        }
        db.execute_batch("DROP TABLE t").expect("dropping");
        let remains = find(&db, 1, 10_000).expect("reading pages");
        wipe(&db, &remains.pages).expect("writing pages");
        let bytes = std::fs::read(&file).expect("the file");
        let marked = bytes.windows(7).filter(|window| *window == b"REMAINS").count();
        assert_eq!(marked, 0);
        let check: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
        assert_eq!(check, "ok");
    }
}
