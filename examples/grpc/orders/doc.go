// Package orders is the service of the example: its messages, as protoc writes them from
// orders.proto, and its client and server.
package orders

//go:generate protoc --go_out=. --go_opt=paths=source_relative orders.proto
