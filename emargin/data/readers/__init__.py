"""One file a public format: each reads a folder into a `RecordingSet`."""
