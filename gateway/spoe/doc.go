// Package spoe answers HAProxy's question whether a request may pass, over its Stream
// Processing Offload Protocol (SPOP 2.0), for a [gateway.Gateway]. It refuses to decide
// anything: it brings the question into the form that the gateway takes, and the answer
// into variables that HAProxy's rules read.
//
// # The question
//
// One message named check, with three arguments: method, uri (the request target as it
// will be sent on: a path, never a whole URL) and headers (req.hdrs_bin). Host is the
// one Host header among these. Nothing else says what is asked about. The arguments
// group, any_group and scope ask for more than the gateway's own route does, never for
// less; others are refused.
//
// # The answer
//
// Variables of the transaction. status is 200 where the request may pass, and nothing
// but 200 may. Then req_… are headers for the upstream, by name, in lower case and with
// _ for each other character: all identity headers, and req_cookie and
// req_authorization, which are the client's less what is for the gateway alone. Where it
// may not, body and res_… are what the client gets. Cookies for the browser are
// res_set_cookie_1 and so on, in both cases.
//
// HAProxy can set headers by a variable's value, and can remove none by a variable's
// name. So its rules remove what could pass for an identity header before they ask, and
// a question that still has such a header is refused: a rule that is missing lets
// nobody in.
//
// # The protocol
//
// Capabilities are pipelining, if HAProxy offers it, and no fragmentation: what does not
// fit a frame is 503. Answers go back on the connection of the question (no async).
// Frames are read strictly, within bounds that are checked before anything is
// allocated; one that is malformed ends its connection and nothing else. The package
// reads and writes the protocol itself, because github.com/negasus/haproxy-spoe-go, the
// library for it, indexes and allocates by lengths that the peer claims, in goroutines
// that nobody bounds: a few bytes end the process.
package spoe
