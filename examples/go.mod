module github.com/codegrant/codegrant/examples

go 1.26.0

require github.com/codegrant/codegrant v0.0.0

require github.com/go-jose/go-jose/v4 v4.1.9 // indirect

replace github.com/codegrant/codegrant => ../
