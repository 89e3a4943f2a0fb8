//! What work costs, whatever else the machine does.

use std::time::Duration;

/// The CPU time that this thread has used: for work on the test's own thread, whose limit must hold on a busy machine too.
/// Where the system does not tell it, the time by the clock.
pub fn cpu_time() -> Duration {
    use std::sync::LazyLock;
    use std::time::Instant;
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let on_cpu_ns = stat.and_then(|stat| stat.split(' ').next()?.parse().ok());
    on_cpu_ns.map_or_else(|| BEGAN.elapsed(), Duration::from_nanos)
}
