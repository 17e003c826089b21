// The module that has Project Wycheproof's test vectors, which are fetched for a test
// and are no part of this repository.
module wycheproof

go 1.26.4

require github.com/c2sp/wycheproof v0.0.0-20260902155932-3fa63dd0344a
