// The pg_walstream crate as a reader: pgoutput to JSON lines in /dev/null. walstream-peer URL SLOT PUBLICATION STOP
use pg_walstream::{CancellationToken, EventType, LogicalReplicationStream, ReplicationStreamConfig, RetryConfig, StreamingMode};
use std::{io::{BufWriter, Write}, time::{Duration, Instant}};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let a: Vec<String> = std::env::args().collect();
    let stop = a[4].parse::<u64>()?;
    let begun = Instant::now();
    let config = ReplicationStreamConfig::new(a[2].clone(), a[3].clone(), 1, StreamingMode::Off,
        Duration::from_secs(10), Duration::from_secs(30), Duration::from_secs(60), RetryConfig::default());
    let mut stream = LogicalReplicationStream::new(&a[1], config).await?;
    stream.start(None).await?;
    let cancel = CancellationToken::new();
    let mut out = BufWriter::with_capacity(1 << 18, std::fs::File::create("/dev/null")?);
    let (mut n, mut first) = (0u64, Duration::ZERO);
    while n < stop {
        let event = stream.next_event_with_retry(&cancel).await?;
        if matches!(event.event_type, EventType::Insert { .. } | EventType::Update { .. } | EventType::Delete { .. }) {
            if n == 0 { first = begun.elapsed(); }
            n += 1;
            serde_json::to_writer(&mut out, &event)?;
            out.write_all(b"\n")?;
        }
        stream.shared_lsn_feedback.update_applied_lsn(event.lsn.value());
    }
    out.flush()?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak: f64 = status.lines().find(|l| l.starts_with("VmHWM")).and_then(|l| l.split_whitespace().nth(1)).unwrap_or("0").parse()?;
    println!("{{\"events\":{n},\"seconds\":{:.3},\"firstEventSeconds\":{:.3},\"peakMb\":{:.0}}}",
        (begun.elapsed() - first).as_secs_f64(), first.as_secs_f64(), peak / 1024.0);
    std::process::exit(0)
}
