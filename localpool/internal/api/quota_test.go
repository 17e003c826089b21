package api

import "testing"

func TestCategories(t *testing.T) {
	for name := range operations {
		if categories[name] == "" {
			t.Errorf("%s is of no category", name)
		}
	}
}
