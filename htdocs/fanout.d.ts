/** What a stream selects: of one name any value, of different names all. Nothing said: everything. */
export interface Selection {
  /** Keys that are text. An empty array selects nothing. */
  key?: string | readonly string[];
  /** Keys in base64url. */
  keyBase64?: string | readonly string[];
  /** `header:NAME` and `field:PATH`: no server selects by them yet; this version's refuses them (`filter_unknown`). */
  [field: `header:${string}` | `field:${string}`]: string | number | boolean | readonly (string | number | boolean)[];
}

export interface Options<Value extends string | Uint8Array = string> {
  /** An access token, asked for when one is needed: at first, when one was refused, and for renewals. */
  token?: () => string | null | undefined | Promise<string | null | undefined>;
  /** Narrows what the route gives. Say it here and not in the URL. */
  select?: Selection;
  /**
   * Whether the tabs of this origin share a stream (true). They do if URL, `bytes`, the selection's headers and
   * fields, and the claims of their tokens but for its times are the same. With a string those share that
   * say the same one, such as the user's name, and only the tab that has the stream needs a token. A tab that
   * cannot load `fanout-tabs.js` has a stream of its own.
   */
  shared?: boolean | string;
  /** Values as bytes, and all keys in base64url. Else values are text, and so are keys (see `table`). */
  bytes?: Value extends Uint8Array ? true : false;
  /** The server's keep-alive interval (15000), until one was seen. A stream silent for 2.5 of them is given up. */
  keepAliveMs?: number;
  /**
   * In place of the global one. After silence it is called with `credentials: "omit"`, so that a browser takes another
   * connection; what is refused then is asked for again with cookies.
   */
  fetch?: (url: URL, request: RequestInit) => Promise<Response>;
}

/** Something that came: `on("event")`, the iterator, and, if it has changed the table, `on("change")`. */
export interface FanoutEvent<Value extends string | Uint8Array = string> {
  type: "message" | "delete" | "reset" | "gap";
  /** As in the table; undefined if the record has none. */
  key?: string;
  /** The record's value; undefined unless it is a message. JSON comes without blanks around its tokens. */
  value?: Value;
  /** The value parsed, each time it is asked for; undefined if it is no JSON. */
  readonly json: any;
  /** What the table had for the key before. */
  old?: Value;
  /** The key is gone: deleted, or no longer selected. */
  deleted: boolean;
  /** The table has been emptied, for all comes again; `reason` says why. */
  reset: boolean;
  /** Whether it was there before the stream, and not just now. */
  replayed?: boolean;
  /** How the route names the event, if it does. */
  name?: string;
  /** Of a record: where it is. A delete that this tab has missed, because another one led, has no offset. */
  topic?: string;
  partition?: number;
  offset?: number;
  /** Milliseconds since 1970, as the producer says. */
  timestamp?: number;
  /** The headers that the topic's configuration lets through. */
  headers?: Record<string, (string | null | { base64: string })[]>;
  /** Of a reset: `topic_new`, `selection`, ... (PROTOCOL.md), `select`: it was another selection,
   * `id_refused`: the last event id was too long for a server between. Of a gap: `slow`, the iterator was. */
  reason?: string;
  detail?: string;
  /** Of a gap: offsets that are lost, `to` not among them. */
  from?: number;
  to?: number;
  /** The last event id. */
  id?: string;
}

export interface State {
  /** `closed` is final, `retrying` comes back by itself. */
  state: "connecting" | "open" | "retrying" | "closed";
  /**
   * retrying: `unreachable` nobody answers; `timeout` no answer within 10 s; `lost` the connection broke;
   * `ended` the server has ended the stream; `busy` it takes no more now; `status` see `status` and `reason`;
   * `type` an answer that is no event stream; `token` your function has failed, see `detail`; `reload` the page
   * was loaded again while it waited.
   * closed: `closed` by close(); `status` a refusal that stays one; `type`; `redirect` the server sends
   * elsewhere, maybe to log in; `protocol` the events are not of sse-kafka-fanout 0.2 or later.
   */
  why?: "unreachable" | "timeout" | "lost" | "ended" | "busy" | "status" | "type" | "token" | "reload"
    | "closed" | "redirect" | "protocol";
  /** The HTTP status, and from the problem document its `reason` (PROTOCOL.md, 7) and `detail`. */
  status?: number;
  reason?: string;
  detail?: string;
  /** retrying: when it does. */
  retryInMs?: number;
  /**
   * open: `waiting` a renewal or a selection waits for a free connection; `refused` the new token was, see
   * `detail`; `unrenewed` it could not be brought to the server yet; `ending` the token ends soon and there is no
   * other.
   */
  note?: "waiting" | "refused" | "unrenewed" | "ending";
  /** The replay is over: the table is that of the topic. */
  live?: boolean;
  /** Whether this tab has the stream, and how many share it. */
  leader?: boolean;
  tabs?: number;
}

/** A stream of sse-kafka-fanout, kept open until close() or a refusal. */
export class Fanout<Value extends string | Uint8Array = string> implements AsyncIterable<FanoutEvent<Value>> {
  constructor(url: string | URL, options?: Options<Value>);

  /**
   * The newest value of each key. A key that is not UTF-8 is `base64:` and base64url; so is each with `bytes`,
   * without that prefix.
   */
  readonly table: ReadonlyMap<string, Value>;
  /** Another number after each change of the table. */
  readonly version: number;
  readonly state: State;

  /** Calls the listener from now on; what it returns ends that. */
  on(name: "event" | "change", listener: (event: FanoutEvent<Value>) => void): () => void;
  /** Once for all changes that have come together. */
  on(name: "table", listener: (table: ReadonlyMap<string, Value>) => void): () => void;
  on(name: "state", listener: (state: State) => void): () => void;

  /** Replaces the selection as a whole. Other keys need no other stream. */
  select(selection?: Selection): void;
  close(): void;

  /**
   * The events from now on, until close(); a refusal is thrown, with all that is in the state. 10,000 are kept for an
   * iterator that is slow; beyond that it gets a gap.
   */
  [Symbol.asyncIterator](): AsyncIterator<FanoutEvent<Value>>;
}
