package verify

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// foldHash hashes a name so that names which differ in case alone hash alike
// (FNV-1a over folded characters).
func foldHash(name string) uint64 {
	hash := uint64(14695981039346656037)
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c >= utf8.RuneSelf {
			for _, char := range name[i:] {
				hash = (hash ^ uint64(foldRune(char))) * 1099511628211
			}
			break
		}
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		hash = (hash ^ uint64(c)) * 1099511628211
	}
	return hash
}

// exactHash is foldHash of a name that is compared as it is.
func exactHash(name string) uint64 {
	hash := uint64(14695981039346656037)
	for i := range len(name) {
		hash = (hash ^ uint64(name[i])) * 1099511628211
	}
	return hash
}

// fold returns the one form that all names have which differ in case alone.
func fold(name string) string {
	for i := range len(name) {
		if c := name[i]; c >= utf8.RuneSelf || c >= 'A' && c <= 'Z' {
			return strings.Map(foldRune, name)
		}
	}
	return name
}

// foldRune folds as encoding/json and strings.EqualFold do. Some characters
// beyond ASCII fold to ASCII ones: ſ to s, the Kelvin sign to k.
func foldRune(char rune) rune {
	if char < utf8.RuneSelf {
		if char >= 'A' && char <= 'Z' {
			char += 'a' - 'A'
		}
		return char
	}
	lowest := char
	for f := unicode.SimpleFold(char); f != char; f = unicode.SimpleFold(f) {
		lowest = min(lowest, f)
	}
	if lowest < utf8.RuneSelf {
		return foldRune(lowest)
	}
	return lowest
}
