import com.launchdarkly.eventsource.ConnectStrategy;
import com.launchdarkly.eventsource.ErrorStrategy;
import com.launchdarkly.eventsource.EventSource;
import com.launchdarkly.eventsource.MessageEvent;
import com.launchdarkly.eventsource.StreamEvent;
import java.net.URI;
import java.util.concurrent.TimeUnit;

/** launchdarkly's okhttp-eventsource: prints each event; comes back by itself with alwaysContinue(). */
public final class OkHttpEventSource {
    public static void main(String[] arguments) throws Exception {
        // The read time-out: longer than the responders' --keepalive.
        ConnectStrategy http =
                ConnectStrategy.http(URI.create(arguments[0])).readTimeout(60, TimeUnit.SECONDS);
        EventSource source =
                new EventSource.Builder(http)
                        .errorStrategy(ErrorStrategy.alwaysContinue())
                        .retryDelay(200, TimeUnit.MILLISECONDS)
                        .build();
        for (StreamEvent event : source.anyEvents()) {
            if (event instanceof MessageEvent) {
                MessageEvent message = (MessageEvent) event;
                Line.print(message.getLastEventId(), message.getEventName(), message.getData());
            }
        }
    }
}
