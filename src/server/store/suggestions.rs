//! Members that were suggested (CT-04).
