//! `hookmill bench --isolation`, shortened: the host survives each attack and the quiet space gets what it posts. Times are
//! the machine's, so only the long run of the command judges them.

use std::process::Command;

use crate::support::host::BINARY;

#[test]
fn a_quiet_space_is_served_while_another_attacks() {
    let mut command = Command::new(BINARY);
    command.args(["bench", "--isolation", "--seconds", "2", "--seed", "1"]);
    for attack in ["1", "2", "4", "5a", "6", "13"] {
        command.args(["--attack", attack]);
    }
    let output = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let rows: Vec<_> = stdout.lines().filter(|line| line.ends_with("| yes |") || line.ends_with("| no |")).collect();
    assert_eq!(rows.len(), 6, "{stdout}{stderr}");
    assert!(stdout.contains("seed: 1\n"), "{stdout}");
    for row in rows {
        let delivered = row.split('|').rev().nth(2).unwrap().trim().trim_end_matches(" %");
        assert!(delivered.parse::<f64>().unwrap() >= 90.0, "{row}");
    }
}
