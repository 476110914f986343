import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.HashMap;
import java.util.Map;

/** An event as a line of JSON on standard output. */
final class Line {
    private static final ObjectMapper JSON = new ObjectMapper();

    static synchronized void print(String id, String type, String data) {
        Map<String, String> said = new HashMap<>();
        said.put("id", id);
        said.put("type", type);
        said.put("data", data);
        try {
            System.out.println(JSON.writeValueAsString(said));
        } catch (java.io.IOException error) {
            throw new IllegalStateException(error);
        }
    }
}
