package api

const pageLimit = 60

// limitOf is how many a page has at most: as many as it can where that is left
// open, or zero.
func limitOf(limit *int) int {
	if limit == nil || *limit == 0 {
		return pageLimit
	}
	return *limit
}

func mapOf(list []attribute) map[string]string {
	m := make(map[string]string, len(list))
	for _, a := range list {
		m[a.Name] = a.Value
	}
	return m
}
