// Command demo is codegrant demo by itself: it compiles the library and the local pool, and
// nothing that the gateway needs. It is the first thing that people run.
package main

import (
	"github.com/alecthomas/kong"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/demo"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
)

func main() {
	terminal.Main(new(demo.Command), kong.Name("demo"))
}
