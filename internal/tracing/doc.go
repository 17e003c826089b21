// Package tracing owns the spans of codegrant serve: it wraps what requests go through,
// and sends what was seen to an OpenTelemetry collector. It refuses to name a span or an
// attribute by anything that a stranger chose, and to tell what could be a secret.
//
// # What is in a span
//
// Names of pools and routes, from the configuration; methods, status codes, decisions
// and kinds of faults, from lists that are closed; hosts of the pool and of upstreams.
// Paths and queries of requests, headers, bodies, addresses and people are not in any:
// that is why these are spans of our own, and not those of otelhttp, which has url.full
// with its query. Events have the reasons of the log, cut at 256 bytes, which have none
// of these either; they are the one place for text of others, such as what the pool, or
// who claims to come from there, says of a sign-in that failed.
//
// # Whose trace it is
//
// A trace context of a trusted proxy is the parent. Anybody else's is linked to a trace
// of our own: a stranger can neither have requests recorded nor write into the traces
// of others. Work that outlives its request is a child that ends later.
//
// # Off
//
// A nil [*Tracer] is tracing that is off. Its methods return what they were given.
package tracing
