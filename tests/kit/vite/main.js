import { Fanout } from "sse-kafka-fanout";

window.fanout = new Fanout("/events");
