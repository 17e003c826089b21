// Package orders is the service of the example, as protoc writes it from
// orders.proto. Nobody edits it.
package orders

//go:generate protoc --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative orders.proto
