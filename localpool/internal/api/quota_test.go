package api

import (
	"strings"
	"testing"
)

func TestCategories(t *testing.T) {
	for name := range operations {
		if categories[name] == "" && !strings.HasPrefix(name, secretsManager) {
			t.Errorf("%s is of no category", name)
		}
	}
}
