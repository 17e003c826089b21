// Package backups is codegrant backup: an encrypted file of what the database has of
// people. It owns flags, files and words; package backup does it, and codegrant restore
// reads the file.
package backups
