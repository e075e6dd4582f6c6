package bench;

import io.debezium.engine.ChangeEvent;
import io.debezium.engine.DebeziumEngine;
import io.debezium.engine.format.Json;
import java.io.BufferedOutputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/**
 * Debezium's engine twice in one JVM: the first pass is cold, the second has a warm JIT and is the one to beat. Each ends after bench.stop
 * events, written as JSON to /dev/null, and prints a line. Other arguments, as k=v, are the connector's; those of one pass begin with its
 * number, as in 2:slot.name=x.
 */
public class Main {
    static double cpuSeconds() { return ProcessHandle.current().info().totalCpuDuration().get().toNanos() / 1e9; }

    static long peakKb() throws IOException {
        String line = Files.readAllLines(Path.of("/proc/self/status")).stream().filter(l -> l.startsWith("VmHWM")).findFirst().get();
        return Long.parseLong(line.replaceAll("\\D", ""));
    }

    public static void main(String[] args) throws Exception {
        Properties all = new Properties();
        for (String a : args) all.setProperty(a.substring(0, a.indexOf('=')), a.substring(a.indexOf('=') + 1));
        long stop = Long.parseLong((String) all.remove("bench.stop"));
        long from = ProcessHandle.current().info().startInstant().get().toEpochMilli();
        for (int pass = 1; pass <= 2; pass++) {
            Properties p = new Properties();
            for (String name : all.stringPropertyNames()) {
                if (!name.matches("\\d:.*")) p.setProperty(name, all.getProperty(name));
                else if (name.startsWith(pass + ":")) p.setProperty(name.substring(2), all.getProperty(name));
            }
            run(p, stop, from);
            from = System.currentTimeMillis();
        }
        System.exit(0);
    }

    static void run(Properties p, long stop, long from) throws Exception {
        OutputStream out = new BufferedOutputStream(new FileOutputStream("/dev/null"), 1 << 18);
        long[] seen = new long[3]; // events, first ms, last ms
        double before = cpuSeconds();
        CountDownLatch full = new CountDownLatch(1), ended = new CountDownLatch(1);
        DebeziumEngine<ChangeEvent<String, String>> engine = DebeziumEngine.create(Json.class).using(p)
            .notifying((records, committer) -> {
                try {
                    for (ChangeEvent<String, String> r : records) {
                        if (r.value() != null) out.write(r.value().getBytes(StandardCharsets.UTF_8));
                        if (seen[0]++ == 0) seen[1] = System.currentTimeMillis();
                        committer.markProcessed(r);
                    }
                    out.flush();
                } catch (IOException e) { throw new UncheckedIOException(e); }
                seen[2] = System.currentTimeMillis();
                committer.markBatchFinished();
                if (seen[0] >= stop) full.countDown();
            })
            .using((ok, message, error) -> {
                if (!ok) { System.err.println(message); if (error != null) error.printStackTrace(); }
                ended.countDown();
            })
            .build();
        ExecutorService executor = Executors.newSingleThreadExecutor();
        executor.execute(engine);
        while (!full.await(50, TimeUnit.MILLISECONDS)) if (ended.getCount() == 0) System.exit(1);
        double cpu = cpuSeconds() - before;
        engine.close();
        ended.await(20, TimeUnit.SECONDS);
        executor.shutdownNow();
        System.out.printf("{\"events\":%d,\"seconds\":%.3f,\"cpuSeconds\":%.2f,\"firstEventSeconds\":%.3f,\"peakMb\":%.0f}%n",
            seen[0], (seen[2] - seen[1]) / 1000.0, cpu, (seen[1] - from) / 1000.0, peakKb() / 1024.0);
    }
}
