// Package deploy holds the tests of what is in the folder deploy: templates that
// cannot be run here are parsed, and compared with what the product needs. They are
// no part of the product.
package deploy
