package cloudfront

import "encoding/base64"

// encoding is base64 with the characters that query strings and cookies reserve replaced the way CloudFront
// expects: + by -, / by ~ and the padding = by _. It is not the URL-safe alphabet of RFC 4648.
var encoding = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-~").
	WithPadding('_').Strict()
