package serve

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// dropOwnPages takes the pages of the program's file out of the process. Those that are
// needed come back from the file.
func dropOwnPages() error {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	maps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return err
	}
	defer maps.Close()
	own, err := ownMappings(maps, program)
	if err != nil {
		return err
	}
	for _, m := range own {
		if _, _, errno := syscall.Syscall(syscall.SYS_MADVISE, m.from, m.to-m.from, syscall.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("madvise: %w", errno)
		}
	}
	return nil
}

type mapping struct{ from, to uintptr }

// ownMappings are those of a program's file, as /proc/self/smaps has them, of which no page
// is another than in the file: none can be written, and none was, as a loader or a debugger
// does. One that was written may be in memory, or swapped out.
func ownMappings(smaps io.Reader, program string) (own []mapping, err error) {
	var candidate *mapping
	none := make(map[string]bool) // of Anonymous and Swap: the candidate has none
	decide := func() {
		if candidate != nil && none["Anonymous:"] && none["Swap:"] {
			own = append(own, *candidate)
		}
		candidate = nil
		clear(none)
	}
	lines := bufio.NewScanner(smaps)
	for lines.Scan() {
		line := lines.Text()
		fields := strings.Fields(line)
		if len(fields) >= 2 && strings.Contains(fields[0], "-") && !strings.HasSuffix(fields[0], ":") {
			decide()
			// Address, permissions, offset, device, inode, and the rest is the path.
			if len(fields) < 6 || strings.Join(fields[5:], " ") != program || !strings.HasPrefix(fields[1], "r") || strings.Contains(fields[1], "w") || !strings.HasSuffix(fields[1], "p") {
				continue
			}
			candidate = new(mapping)
			if _, err := fmt.Sscanf(fields[0], "%x-%x", &candidate.from, &candidate.to); err != nil {
				return nil, fmt.Errorf("read %q of smaps: %w", line, err)
			}
			continue
		}
		if len(fields) >= 2 && (fields[0] == "Anonymous:" || fields[0] == "Swap:") {
			none[fields[0]] = fields[1] == "0"
		}
	}
	decide()
	return own, lines.Err()
}
