"""Any language to words: folding, scripts, stop words, stems. No disk, no model."""
