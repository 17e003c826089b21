package device_test

import (
	"fmt"

	"github.com/codegrant/codegrant/device"
)

// The list of a person's sessions names the browser and the system of each.
func ExampleDescribe() {
	browser, system := device.Describe("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0")
	fmt.Println(browser, "on", system)
	// Output: Firefox 145 on Windows
}
