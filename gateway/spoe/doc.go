// Package spoe answers HAProxy's question whether a request may pass, over its Stream
// Processing Offload Protocol (SPOP 2.0), for a [gateway.Gateway]. It owns the protocol, and
// leans on the gateway for every decision: it translates the question for the gateway, and the
// answer into variables that HAProxy's rules read. It refuses to decide anything itself.
//
// # The question
//
// The question is one message named check with three arguments: method, uri and headers. uri
// is the target of the request as HAProxy sends it on: a path, never a whole URL. headers is
// req.hdrs_bin, with exactly one Host. Nothing else describes the request. The
// arguments group, any_group and scope add conditions to those of the gateway's route, and
// never remove one. Other arguments are refused.
//
// # The answer
//
// The answer is variables of the transaction. The request may pass only if status is 200.
// Then variables with names that begin with req_ are headers for the upstream. Their names are
// in lower case, with _ for each other character. They are all identity headers, req_cookie
// and req_authorization. The last two are those of the client, without the parts that are for
// the gateway only. If the request may not pass, body and the variables that begin with res_
// are the response to the client. In both cases, res_set_cookie_1 and so on are cookies for the
// browser.
//
// HAProxy can set headers from the values of variables, and cannot remove headers by such
// names. Therefore its rules must remove headers that look like an identity header before
// they ask. The package refuses a question that still has one: a missing rule lets nobody in.
//
// # The protocol
//
// The package supports pipelining, if HAProxy offers it, and no fragmentation: an answer that
// does not fit into a frame is 503. Answers use the connection of the question (no async).
// Frames are read strictly, and their sizes are checked before memory is allocated. A malformed
// frame ends its connection, and nothing else. The package implements the protocol itself. The
// library github.com/negasus/haproxy-spoe-go indexes and allocates by lengths that the peer
// claims, in an unlimited number of goroutines: a few bytes end the process.
package spoe
