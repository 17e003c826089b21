package sqstest_test

import (
	"fmt"
	"net/http/httptest"

	"github.com/codegrant/codegrant/directory/sqsqueue/sqstest"
)

// A queue for tests. Its URL goes into sqsqueue.Config, and the server's into the client.
func Example() {
	server := httptest.NewServer(sqstest.New(1)) // the seed of what it repeats and loses
	defer server.Close()
	url := server.URL + sqstest.Path
	fmt.Println(url == server.URL+"/000000000000/events")
	// Output: true
}
