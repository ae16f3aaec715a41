"""What every page has in common: colours, words, pictures, the axis of time. A page is one file and needs no other."""
