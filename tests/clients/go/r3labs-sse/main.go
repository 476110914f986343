// r3labs/sse: prints each event. It comes back from errors by itself, but takes a clean end for the
// end of its work: to come back from that is the program's part.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/r3labs/sse/v2"
)

func main() {
	// Larger than any event: by default one of more than 64 KB is asked for again and again.
	client := sse.NewClient(os.Args[1], sse.ClientMaxBufferSize(16<<20))
	for {
		err := client.SubscribeRaw(func(event *sse.Event) {
			line, _ := json.Marshal(map[string]string{
				"id": string(event.ID), "type": string(event.Event), "data": string(event.Data)})
			fmt.Println(string(line))
		})
		fmt.Fprintln(os.Stderr, "the stream has ended", err)
		time.Sleep(200 * time.Millisecond)
	}
}
