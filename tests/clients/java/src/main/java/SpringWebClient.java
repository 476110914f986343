import java.time.Duration;
import org.springframework.core.ParameterizedTypeReference;
import org.springframework.http.MediaType;
import org.springframework.http.codec.ServerSentEvent;
import org.springframework.web.reactive.function.client.WebClient;
import reactor.core.publisher.Flux;
import reactor.util.retry.Retry;

/** Spring's WebClient: prints each event. It reads one response; to come back is the program's part. */
public final class SpringWebClient {
    private static volatile String lastId = "";

    public static void main(String[] arguments) {
        // Larger than any event: by default the stream breaks at one of more than 256 KB.
        WebClient client =
                WebClient.builder().codecs(codecs -> codecs.defaultCodecs().maxInMemorySize(16 << 20)).build();
        Flux.defer(() -> open(client, arguments[0]))
                .doOnError(System.err::println)
                .retryWhen(Retry.fixedDelay(Long.MAX_VALUE, Duration.ofMillis(200)))
                .repeatWhen(ends -> ends.delayElements(Duration.ofMillis(200)))
                .doOnNext(SpringWebClient::onEvent)
                .blockLast();
    }

    private static Flux<ServerSentEvent<String>> open(WebClient client, String url) {
        return client.get()
                .uri(java.net.URI.create(url))
                .accept(MediaType.TEXT_EVENT_STREAM)
                .headers(headers -> {
                    if (!lastId.isEmpty()) {
                        headers.set("Last-Event-ID", lastId);
                    }
                })
                .retrieve()
                .bodyToFlux(new ParameterizedTypeReference<ServerSentEvent<String>>() {});
    }

    private static void onEvent(ServerSentEvent<String> event) {
        Line.print(event.id(), event.event(), event.data());
        if (event.id() != null) {
            lastId = event.id();
        }
    }
}
