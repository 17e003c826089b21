// Package cupboardtest is the suite that every [cupboard.Store] has to pass. It knows
// the contract, and no implementation.
package cupboardtest
