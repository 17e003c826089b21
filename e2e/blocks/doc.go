// Package blocks holds the documentation to the product: it reads the fenced code blocks
// of every page, and its tests compile, parse or run each of them.
//
// It owns what a block is, and the list of blocks that cannot run here, with the reason. It
// refuses a block that is neither judged nor listed, and a line of the list without a block.
// It leans on the compiler's export data and on the programs node, python3 and bash.
package blocks
