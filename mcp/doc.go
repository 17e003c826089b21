// Package mcp puts a server of the Model Context Protocol behind a user pool, as the
// protocol's authorization specification and RFC 9728 have it: a protected resource.
//
// It owns the resource's metadata, the challenges by which a client finds the pool and
// learns which scopes it lacks, what browsers of other origins may do, and who may call
// which tool: read from the JSON-RPC message that the server gets, byte for byte. It tells
// of each call, by whom and who acted for them, and never of its arguments. Streams end
// with the token, and a session of the protocol is the person's who began it.
//
// It refuses every proof but a token in the Authorization header: no cookie makes a page of
// somebody else's an MCP client. It refuses tokens for another resource, batches, and
// messages that another reader could take for another call.
//
// It issues no tokens and registers no clients: the pool does, whose endpoints clients
// get, or an authorization server that it knows as a URL. It stands on package codegrant
// as an application would.
//
// [New] makes no network call, and returns every mistake of the configuration at once. Without
// Tools, everybody who may send requests may call every tool. A message has at most 4 MiB by
// default. Refusals are errors of JSON-RPC: 401 with a challenge, 403 with the missing scopes,
// and 503 with Retry-After if the pool does not answer. The example shows a whole resource.
package mcp
