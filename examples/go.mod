module github.com/codegrant/codegrant/examples

go 1.26.0

require github.com/codegrant/codegrant v0.0.0

require (
	github.com/goccy/go-yaml v1.19.2 // indirect
	golang.org/x/net v0.62.0 // indirect
)

replace github.com/codegrant/codegrant => ../
