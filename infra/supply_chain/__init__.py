"""What the product is made of: bills of materials, licences, and known weaknesses."""
