"""From labelled wafers or pictures to a dataset directory: import, duplicates, split by group, manifest, loading."""
