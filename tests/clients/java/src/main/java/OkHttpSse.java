import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import okhttp3.sse.EventSource;
import okhttp3.sse.EventSourceListener;
import okhttp3.sse.EventSources;

/** okhttp-sse: prints each event. It reads one response; to come back is the program's part. */
public final class OkHttpSse {
    private static volatile String lastId = "";

    public static void main(String[] arguments) throws InterruptedException {
        // OkHttp gives up after ten seconds without a byte: longer than the responders' --keepalive.
        OkHttpClient client = new OkHttpClient.Builder().readTimeout(60, TimeUnit.SECONDS).build();
        EventSource.Factory factory = EventSources.createFactory(client);
        while (true) {
            Request.Builder request = new Request.Builder().url(arguments[0]);
            if (!lastId.isEmpty()) {
                request.header("Last-Event-ID", lastId);
            }
            CountDownLatch ended = new CountDownLatch(1);
            factory.newEventSource(request.build(), new Listener(ended));
            ended.await();
            Thread.sleep(200);
        }
    }

    private static final class Listener extends EventSourceListener {
        private final CountDownLatch ended;

        Listener(CountDownLatch ended) {
            this.ended = ended;
        }

        @Override
        public void onEvent(EventSource source, String id, String type, String data) {
            Line.print(id, type, data);
            if (id != null) {
                lastId = id;
            }
        }

        @Override
        public void onClosed(EventSource source) {
            ended.countDown();
        }

        @Override
        public void onFailure(EventSource source, Throwable error, Response response) {
            System.err.println(error);
            ended.countDown();
        }
    }
}
