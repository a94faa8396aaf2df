"""What pages are made of. The only shared room that imports streamlit."""
