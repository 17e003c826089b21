package blocks

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A Block is one fenced code block of a page.
type Block struct {
	Page     string // path of the page from the root of the repository
	Line     int    // of the opening fence
	Language string
	Text     string // without the indentation of the fence
}

// Key names a block by its page and its first line, which outlives changes above it.
func (b Block) Key() string {
	first, _, _ := strings.Cut(strings.TrimSpace(b.Text), "\n")
	return b.Page + ": " + strings.TrimSpace(first)
}

// Read returns the blocks of all pages of a repository.
func Read(root string) ([]Block, error) {
	var all []Block
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := entry.Name()
		if entry.IsDir() {
			if name != root && (strings.HasPrefix(base, ".") || base == "node_modules" || base == "testdata" || base == "artifacts") {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(base) != ".md" || base == "CHANGELOG.md" {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		page, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		all = append(all, Parse(filepath.ToSlash(page), string(text))...)
		return nil
	})
	return all, err
}

// Parse returns the blocks of one page. A fence that is not closed ends with the page.
func Parse(page, text string) []Block {
	var all []Block
	var open *Block
	var indent string
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimLeft(line, " ")
		switch {
		case !strings.HasPrefix(trimmed, "```"):
			if open != nil {
				open.Text += strings.TrimPrefix(line, indent) + "\n"
			}
		case open == nil:
			indent = line[:len(line)-len(trimmed)]
			open = &Block{Page: page, Line: i + 1, Language: strings.TrimSpace(trimmed[3:])}
		default:
			all = append(all, *open)
			open = nil
		}
	}
	if open != nil {
		all = append(all, *open)
	}
	return all
}

// Find returns the block of a page that begins with a text.
func Find(root, page, begins string) (Block, bool) {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(page)))
	if err != nil {
		return Block{}, false
	}
	for _, b := range Parse(page, string(text)) {
		if strings.HasPrefix(strings.TrimSpace(b.Text), begins) {
			return b, true
		}
	}
	return Block{}, false
}
