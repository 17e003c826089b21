package testenv

import (
	"os/exec"
	"path/filepath"
	"testing"
)

func TestPython(t *testing.T) {
	bin := Python(t, "six==1.17.0")
	out, err := exec.CommandContext(t.Context(), filepath.Join(bin, "python"), "-c", "import six; print(six.__version__)").CombinedOutput()
	if err != nil || string(out) != "1.17.0\n" {
		t.Errorf("import of the installed package printed %q, %v", out, err)
	}
	if again := Python(t, "six==1.17.0"); again != bin {
		t.Errorf("second call made %s, want the environment of the first, %s", again, bin)
	}
}
