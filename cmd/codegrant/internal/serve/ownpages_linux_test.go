package serve

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestOwnMappings: of a program's file, what may have been written to stays.
func TestOwnMappings(t *testing.T) {
	const smaps = `00400000-0206b000 r-xp 00000000 fe:00 13041852                           /opt/code grant
Size:              29100 kB
Rss:               15980 kB
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd ex mr mw me
0206b000-03e49000 r--p 01c6b000 fe:00 13041852                           /opt/code grant
Rss:               16888 kB
Anonymous:             0 kB
Swap:                  0 kB
03e49000-03e50000 r--p 03a49000 fe:00 13041852                           /opt/code grant
Anonymous:             4 kB
03e4a000-03e4b000 r--p 03a4a000 fe:00 13041852                           /opt/code grant
Anonymous:             0 kB
Swap:                 28 kB
VmFlags: rd mr mw me
03e4b000-03e4c000 r--p 03a4b000 fe:00 13041852                           /opt/code grant
Anonymous:             0 kB
VmFlags: rd mr mw me
03e50000-03f56000 rw-p 03a49000 fe:00 13041852                           /opt/code grant
Anonymous:             0 kB
Swap:                  0 kB
03f56000-03f57000 r--s 03a49000 fe:00 13041852                           /opt/code grant
Anonymous:             0 kB
Swap:                  0 kB
03f57000-03f58000 ---p 03a49000 fe:00 13041852                           /opt/code grant
Anonymous:             0 kB
Swap:                  0 kB
2fc427400000-2fc428000000 rw-p 00000000 00:00 0 
Anonymous:          5644 kB
7f94c2000000-7f94c2156000 r-xp 00026000 fe:00 326269                     /usr/lib/x86_64-linux-gnu/libc.so.6
Anonymous:             0 kB
Swap:                  0 kB
7f94c2156000-7f94c2157000 r-xp 00026000 fe:00 326269                     /opt/code grant (deleted)
Anonymous:             0 kB
Swap:                  0 kB
7f94c2157000-7f94c2158000 r--p 00026000 fe:00 326269                     /opt/code grant
Anonymous:             0 kB
Swap:                  0 kB
`
	own, err := ownMappings(strings.NewReader(smaps), "/opt/code grant")
	if want := []mapping{{0x400000, 0x206b000}, {0x206b000, 0x3e49000}, {0x7f94c2157000, 0x7f94c2158000}}; err != nil || !slices.Equal(own, want) {
		t.Errorf("ownMappings = %x, %v, want %x", own, err, want)
	}
}

// TestDropOwnPages: the pages of the program's file are out of the process, which goes on.
func TestDropOwnPages(t *testing.T) {
	const child = "CODEGRANT_TEST_FORGET"
	if os.Getenv(child) == "" {
		// Other tests of this process bring their pages back.
		command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDropOwnPages$", "-test.count=1")
		command.Env = append(os.Environ(), child+"=yes")
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	held := func() (kB int) {
		b, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(string(b), "\nRssFile:")
		if _, err := fmt.Sscan(after, &kB); err != nil {
			t.Fatal(err)
		}
		return kB
	}
	before := held()
	if err := dropOwnPages(); err != nil {
		t.Fatal(err)
	}
	if after := held(); after > before/2 {
		t.Errorf("%d kB of files are in memory, and %d before: want less than half", after, before)
	}
}
