// launchdarkly/eventsource: prints each event, and comes back by itself.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/launchdarkly/eventsource"
)

func main() {
	// The read time-out: longer than the responders' --keepalive.
	stream, err := eventsource.SubscribeWithURL(os.Args[1],
		eventsource.StreamOptionReadTimeout(time.Minute),
		eventsource.StreamOptionErrorHandler(func(err error) eventsource.StreamErrorHandlerResult {
			fmt.Fprintln(os.Stderr, err)
			return eventsource.StreamErrorHandlerResult{}
		}))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for event := range stream.Events {
		line, _ := json.Marshal(map[string]string{
			"id": event.Id(), "type": event.Event(), "data": event.Data()})
		fmt.Println(string(line))
	}
}
