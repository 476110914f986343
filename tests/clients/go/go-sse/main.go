// tmaxmax/go-sse: prints each event, and comes back by itself.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	"github.com/tmaxmax/go-sse"
)

func main() {
	request, err := http.NewRequest(http.MethodGet, os.Args[1], nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	connection := sse.NewConnection(request)
	// Larger than any event: by default the connection ends with one of more than 64 KB.
	connection.Buffer(nil, 16<<20)
	connection.SubscribeToAll(func(event sse.Event) {
		line, _ := json.Marshal(map[string]string{
			"id": event.LastEventID, "type": event.Type, "data": event.Data})
		fmt.Println(string(line))
	})
	fmt.Fprintln(os.Stderr, connection.Connect())
}
