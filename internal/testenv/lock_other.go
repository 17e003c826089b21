//go:build !unix

package testenv

import "os"

// lock takes nothing: elsewhere than on Unix, tests are compiled, and not run by several
// processes at once.
func lock(*os.File, bool) error { return nil }
