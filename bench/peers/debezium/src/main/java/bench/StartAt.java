package bench;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.connect.runtime.WorkerConfig;
import org.apache.kafka.connect.storage.MemoryOffsetBackingStore;

/** Offsets that begin with one: bench.offset.key and bench.offset.value, in JSON, as Connect stores them. */
public class StartAt extends MemoryOffsetBackingStore {
    private ByteBuffer key, value;

    @Override
    public void configure(WorkerConfig config) {
        super.configure(config);
        Map<String, String> all = config.originalsStrings();
        key = bytes(all.get("bench.offset.key"));
        value = bytes(all.get("bench.offset.value"));
    }

    @Override
    public void start() {
        super.start();
        data.put(key, value);
    }

    @Override
    public Set<Map<String, Object>> connectorPartitions(String connector) { return Set.of(); }

    private static ByteBuffer bytes(String text) { return ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)); }
}
