//! People who would have joined by domain and found no seat (X6).
